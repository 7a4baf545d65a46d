package engine

import com.cloudbees.groovy.cps.Continuable
import com.cloudbees.groovy.cps.Outcome

/** One thread of the Pipeline: the main one or a branch of `parallel`. */
class Head {

    final String branch
    final Head parent
    Continuable program
    /** With what the program goes on; null while it waits for a step. */
    Outcome ready
    /** The step that it waits for, and the running operation behind it (null until it was begun). */
    Request request
    Operation operation
    /** What block steps put around the code: [env:…], [folder:…], [deadline:…], [secret:…]. Branches begin with a copy. */
    List<Map> frames
    /** How the thread ended, null until then. */
    Outcome ended

    Head(String branch, Head parent, List<Map> frames) {
        this.branch = branch
        this.parent = parent
        this.frames = frames
    }

}
