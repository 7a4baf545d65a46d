import groovy.transform.Field
import reflectci.Step

// There is one instance of this file in a build, so this lasts as long as the build.
@Field
final Map<String, Integer> folders = [:]

/**
 * Cancels executions that still run; one that has finished is not an error.
 *
 *     reflectCancel fromFile: 'reflect-report/smoke/executions.json'
 */
Map call(Map config = [:]) {
    return new Step(this, 'reflectCancel', 'cancel', folders).call(config)
}
