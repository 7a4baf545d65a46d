import groovy.transform.Field
import reflectci.Step

// There is one instance of this file in a build, so this lasts as long as the build.
@Field
final Map<String, Integer> folders = [:]

/**
 * Runs Reflect suites, waits for the verdict and passes or fails the build by it. All keys: reflectRun.txt.
 *
 *     reflectRun suites: ['smoke', 'checkout'], hosts: ['www.example.com': 'staging.example.com']
 */
Map call(Map config = [:]) {
    return new Step(this, 'reflectRun', 'run', folders).call(config)
}
