import reflectci.Step

/**
 * Picks up executions that an earlier step started, waits for them and passes or fails the build by their verdict.
 *
 *     def started = reflectRun suites: ['smoke'], wait: false
 *     reflectWait executions: started.executions
 */
Map call(Map config = [:]) {
    return new Step(this, 'reflectWait', 'wait').call(config)
}
