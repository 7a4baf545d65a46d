package engine

import com.cloudbees.groovy.cps.Outcome

/** A step that takes time: asked again and again whether it has an outcome, and stopped by an abort or a time limit. */
interface Operation {

    Outcome poll()

    void stop(Throwable cause)

}
