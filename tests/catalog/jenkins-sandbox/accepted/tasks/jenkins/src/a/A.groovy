package a

import groovy.json.JsonSlurper

/** Reads a new File(…) as text. */
class A implements Serializable {

    Object read() {
        return new JsonSlurper().parseText(steps.readFile('a.json'))
    }

}
