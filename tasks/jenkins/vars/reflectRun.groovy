import reflectci.Step

/**
 * Runs Reflect suites, waits for the verdict and passes or fails the build by it. All keys: reflectRun.txt.
 *
 *     reflectRun suites: ['smoke', 'checkout'], hosts: ['www.example.com': 'staging.example.com']
 */
Map call(Map config = [:]) {
    return new Step(this, 'reflectRun', 'run').call(config)
}
