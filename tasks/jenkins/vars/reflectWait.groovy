import groovy.transform.Field
import reflectci.Step

// There is one instance of this file in a build, so this lasts as long as the build.
@Field
final Map<String, Integer> folders = [:]

/**
 * Picks up executions that an earlier step started, waits for them and passes or fails the build by their verdict.
 *
 *     def started = reflectRun suites: ['smoke'], wait: false
 *     reflectWait executions: started.executions
 */
Map call(Map config = [:]) {
    return new Step(this, 'reflectWait', 'wait', folders).call(config)
}
