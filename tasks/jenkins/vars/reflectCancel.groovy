import reflectci.Step

/**
 * Cancels executions that still run; one that has finished is not an error.
 *
 *     reflectCancel fromFile: 'reflect-report/smoke/executions.json'
 */
Map call(Map config = [:]) {
    return new Step(this, 'reflectCancel', 'cancel').call(config)
}
