/** Runs a Declarative Pipeline. What it does not know, or misses, it refuses as Jenkins' own validator does. */
class Declarative implements Serializable {

    private static final long serialVersionUID = 1L
    private static final List<String> POST = [
        'always', 'changed', 'fixed', 'regression', 'aborted', 'failure', 'success', 'unstable', 'unsuccessful', 'cleanup',
    ]

    private final Object steps

    Declarative(Object steps) {
        this.steps = steps
    }

    Object run(Closure body) {
        Section top = read(body, ['agent', 'stages', 'environment', 'options', 'post', 'parameters', 'triggers', 'tools', 'libraries'])
        if (!top.contains('agent')) {
            throw new IllegalArgumentException("WorkflowScript: Missing required section \"agent\"")
        }
        if (!top.contains('stages')) {
            throw new IllegalArgumentException("WorkflowScript: Missing required section \"stages\"")
        }
        within(top) {
            for (stage in stagesOf(top.first('stages'))) {
                one(stage)
            }
        }
        return null
    }

    private List stagesOf(Closure body) {
        Section section = read(body, ['stage'])
        if (!section.found.stage) {
            throw new IllegalArgumentException('WorkflowScript: No stages specified')
        }
        return section.found.stage
    }

    private void one(List nameAndBody) {
        String name = nameAndBody[0]
        Section stage = read(nameAndBody[1], ['agent', 'steps', 'stages', 'parallel', 'environment', 'options', 'post', 'when', 'failFast'])
        if (stage.contains('when') && !wanted(stage.first('when'))) {
            steps.echo("Stage \"${name}\" skipped due to when conditional")
            return
        }
        steps.stage(name) {
            within(stage) {
                if (stage.contains('steps')) {
                    perform(stage.first('steps'))
                } else if (stage.contains('parallel')) {
                    Map branches = [failFast: stage.contains('failFast') && stage.first('failFast')]
                    for (branch in stagesOf(stage.first('parallel'))) {
                        List inner = branch
                        branches[(String) inner[0]] = { one(inner) }
                    }
                    steps.parallel(branches)
                } else if (stage.contains('stages')) {
                    for (inner in stagesOf(stage.first('stages'))) {
                        one(inner)
                    }
                } else {
                    throw new IllegalArgumentException("WorkflowScript: Expected one of steps, stages, or parallel for stage ${name}")
                }
            }
        }
    }

    /** Runs with the section's environment and options around, and its post conditions after. */
    private void within(Section section, Closure body) {
        List env = []
        List credentials = []
        if (section.contains('environment')) {
            Variables variables = new Variables(steps)
            evaluate(section.first('environment'), variables)
            for (entry in variables.values.entrySet()) {
                if (entry.value instanceof Map) {
                    credentials.add([credentialsId: entry.value.credential, variable: entry.key])
                } else {
                    env.add("${entry.key}=${entry.value}".toString())
                }
            }
        }
        Section options = section.contains('options') ? read(section.first('options'), [
            'timeout', 'disableConcurrentBuilds', 'skipDefaultCheckout', 'timestamps', 'buildDiscarder', 'logRotator', 'retry',
        ]) : new Section(steps, [])
        Map limit = options.contains('timeout') ? options.first('timeout') : [time: 1, unit: 'HOURS']
        Throwable problem = null
        try {
            steps.withCredentials(credentials) {
                steps.withEnv(env) {
                    if (options.contains('timeout')) {
                        steps.timeout(limit, body)
                    } else {
                        body()
                    }
                }
            }
        } catch (Throwable thrown) {
            problem = thrown
            steps._result(thrown)
        }
        if (section.contains('post')) {
            Section post = read(section.first('post'), POST)
            for (condition in POST) {
                if (post.contains(condition) && holds(condition)) {
                    perform(post.first(condition))
                }
            }
        }
        if (problem != null) {
            throw problem
        }
    }

    private boolean holds(String condition) {
        String result = steps.currentBuild.currentResult
        switch (condition) {
            case ['always', 'cleanup', 'changed']: return true
            case 'unsuccessful': return result != 'SUCCESS'
            case ['fixed', 'regression']: return false
            default: return result == condition.toUpperCase()
        }
    }

    private boolean wanted(Closure body) {
        Section when = read(body, ['branch', 'changeRequest', 'expression', 'not', 'beforeAgent'])
        if (when.contains('branch') && steps.env.BRANCH_NAME != when.first('branch')) {
            return false
        }
        if (when.contains('changeRequest') && !steps.env.CHANGE_ID) {
            return false
        }
        if (when.contains('expression') && !perform(when.first('expression'))) {
            return false
        }
        return !(when.contains('not') && wanted(when.first('not')))
    }

    private Object perform(Closure body) {
        body.delegate = steps
        body.resolveStrategy = Closure.DELEGATE_ONLY
        return body()
    }

    private Section read(Closure body, List allowed) {
        Section section = new Section(steps, allowed)
        evaluate(body, section)
        return section
    }

    private void evaluate(Closure body, Object section) {
        body.delegate = section
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body()
    }

}
