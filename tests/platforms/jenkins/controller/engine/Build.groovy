package engine

import com.cloudbees.groovy.cps.Continuable
import com.cloudbees.groovy.cps.CpsTransformer
import com.cloudbees.groovy.cps.Outcome
import com.cloudbees.groovy.cps.impl.CpsCallableInvocation
import hudson.AbortException
import org.codehaus.groovy.control.CompilerConfiguration
import org.codehaus.groovy.control.customizers.ImportCustomizer
import org.codehaus.groovy.runtime.InvokerHelper
import org.codehaus.groovy.runtime.InvokerInvocationException
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/**
 * One build: compiles Jenkinsfile and library with Jenkins' own CPS transform and runs them.
 *
 * Each step suspends the program. Before the step is carried out the whole program is serialized, thrown away and read
 * back, as if the controller had been restarted there: what would not survive that in Jenkins fails here.
 */
class Build {

    private static final ThreadLocal<Build> CURRENT = new ThreadLocal<>()

    final Map spec
    final File workspace
    final Log log = new Log()
    final Steps steps
    final List<Head> heads = []
    final Map<String, String> environment = [:]
    Map<String, PipelineScript> vars = [:]
    PipelineScript blocks
    Head head
    String result = 'SUCCESS'
    Object returned
    int restarts = 0
    volatile boolean abort = false
    private boolean aborted = false
    private boolean changed = true
    private GroovyClassLoader loader

    Build(Map spec) {
        this.spec = spec
        this.workspace = new File((String) spec.workspace)
        this.steps = new Steps(this)
        this.environment.putAll((Map) spec.environment)
    }

    static Build current() {
        return CURRENT.get()
    }

    /** Groovy wraps what a method throws; the CPS machinery and a Pipeline's `catch` want it bare. */
    static Object unwrapped(Closure body) {
        try {
            return body.call()
        } catch (InvokerInvocationException wrapped) {
            throw wrapped.cause
        }
    }

    /** A call that is no method: a library's variable, a block step, a plain step. */
    Object invoke(String name, Object[] args) {
        if (vars.containsKey(name)) {
            return unwrapped { InvokerHelper.invokeMethod(vars[name], 'call', args) }
        }
        if (name != 'run' && name != 'main' && blocks.getClass().declaredMethods.any { it.name == name }) {
            return unwrapped { blocks.metaClass.invokeMethod(blocks, name, args) }
        }
        if (!steps.has(name)) {
            throw new NoSuchMethodError("No such DSL method '${name}' found among steps")
        }
        return Continuable.suspend(name, new Request(name, args))
    }

    Object global(String name) {
        switch (name) {
            case 'env': return new Env()
            case 'currentBuild': return new CurrentBuild()
            case 'params': return spec.parameters ?: [:]
            case 'scm': return [:]
            default: return vars[name]
        }
    }

    /** Runs the build to its end and returns what there is to see. */
    Map run() {
        CURRENT.set(this)
        try {
            workspace.mkdirs()
            compile()
            while (heads[0].ended == null) {
                turn()
            }
            conclude(heads[0].ended)
        } catch (Throwable problem) {
            result = 'FAILURE'
            log.line(problem instanceof NotSerializableException ? "${problem}" : Log.trace(problem))
        } finally {
            steps.killAll()
            CURRENT.remove()
        }
        log.line("Finished: ${result}")
        return [result: result, log: log.masked(), raw: log.raw(), returned: returned, steps: steps.done, restarts: restarts]
    }

    private void compile() {
        CompilerConfiguration configuration = new CompilerConfiguration()
        configuration.scriptBaseClass = PipelineScript.name
        configuration.sourceEncoding = 'UTF-8'
        ImportCustomizer imports = new ImportCustomizer()
        // The same automatic imports as in Jenkins, as far as a Pipeline writes them.
        imports.addStarImports('com.cloudbees.groovy.cps', 'org.jenkinsci.plugins.workflow.libs')
        configuration.addCompilationCustomizers(imports, new CpsTransformer())
        loader = new GroovyClassLoader(getClass().classLoader, configuration)
        loader.addClasspath("${spec.library}/src")
        loader.addClasspath((String) spec.pipeline)
        blocks = script(new File((String) spec.pipeline, 'Blocks.groovy').getText('UTF-8'), 'Blocks.groovy')
        for (file in new File((String) spec.library, 'vars').listFiles().sort()) {
            if (file.name.endsWith('.groovy')) {
                String name = file.name - '.groovy'
                vars[name] = script(file.getText('UTF-8'), file.name)
            }
        }
        PipelineScript main = script((String) spec.jenkinsfile, 'WorkflowScript.groovy')
        Head first = new Head('', null, [])
        first.program = new Continuable(main)
        first.ready = new Outcome(null, null)
        heads.add(first)
    }

    private PipelineScript script(String text, String name) {
        Class type = loader.parseClass(new GroovyCodeSource(text, name, '/groovy/script'), false)
        return (PipelineScript) type.getDeclaredConstructor().newInstance()
    }

    /** Lets every thread run up to its next step, restarts, begins the steps, looks what has come to an end. */
    private void turn() {
        for (one in new ArrayList<Head>(heads)) {
            while (one.ready != null) {
                advance(one)
            }
        }
        if (changed) {
            restart()
            changed = false
        }
        boolean moved = false
        for (one in new ArrayList<Head>(heads)) {
            if (one.ended != null) {
                continue
            }
            if (one.operation == null) {
                head = one
                begin(one)
            }
            Outcome outcome = one.operation.poll()
            if (outcome != null) {
                one.request = null
                one.operation = null
                one.ready = outcome
                moved = true
            }
        }
        interruptWhatIsDue()
        if (!moved && heads[0].ended == null) {
            Thread.sleep(10)
        }
    }

    private void advance(Head one) {
        head = one
        Outcome with = one.ready
        one.ready = null
        Outcome yielded = one.program.run0(with, Continuable.categories + [Iterators])
        changed = true
        if (!one.program.isResumable()) {
            one.ended = yielded
            if (one.parent != null) {
                heads.remove(one)
            }
            return
        }
        one.request = (Request) yielded.replay()
    }

    private void begin(Head one) {
        Outcome outcome = null
        try {
            Object value = steps.begin(one, one.request)
            if (value instanceof Operation) {
                one.operation = (Operation) value
                return
            }
            outcome = new Outcome(value, null)
        } catch (Throwable problem) {
            outcome = new Outcome(null, problem)
        }
        one.operation = new Done(outcome: outcome)
    }

    /** A thread that runs a closure; it ends at once when nothing in there is a step. */
    Head fork(String branch, Head parent, Closure body) {
        Head child = new Head(branch, parent, new ArrayList<Map>(parent.frames))
        try {
            Object value = body.call()
            child.ended = new Outcome(value, null)
        } catch (CpsCallableInvocation invocation) {
            child.program = new Continuable(invocation.asBlock())
            child.ready = new Outcome(null, null)
            heads.add(child)
        }
        return child
    }

    private void restart() {
        Map state = [vars: vars, blocks: blocks, programs: heads*.program, requests: heads*.request]
        ByteArrayOutputStream bytes = new ByteArrayOutputStream()
        new ObjectOutputStream(bytes).withStream { it.writeObject(state) }
        ClassLoader classes = loader
        ObjectInputStream stream = new com.cloudbees.groovy.cps.ObjectInputStreamWithLoader(new ByteArrayInputStream(bytes.toByteArray()), classes)
        Map read = (Map) stream.readObject()
        vars = (Map) read.vars
        blocks = (PipelineScript) read.blocks
        heads.eachWithIndex { Head one, int i ->
            one.program = (Continuable) ((List) read.programs)[i]
            one.request = (Request) ((List) read.requests)[i]
        }
        restarts++
    }

    private void interruptWhatIsDue() {
        if (abort && !aborted) {
            aborted = true
            log.line('Aborted by the tester')
            stop(heads[0], new FlowInterruptedException('ABORTED', 'Aborted by the tester'))
        }
        long now = System.currentTimeMillis()
        for (one in new ArrayList<Head>(heads)) {
            Map due = one.frames.find { it.deadline && !it.fired && it.deadline <= now }
            if (due != null && one.ended == null) {
                due.fired = true
                log.line('Cancelling nested steps due to timeout')
                List<Head> inside = heads.findAll { Head other -> other.frames.any { it.is(due) } && !(other.operation instanceof Parallel) }
                inside.each { stop(it, new FlowInterruptedException('ABORTED', 'Timeout has been exceeded')) }
            }
        }
    }

    void stop(Head one, Throwable cause) {
        if (one.operation != null) {
            one.operation.stop(cause)
        }
    }

    private void conclude(Outcome outcome) {
        if (outcome.isSuccess()) {
            returned = outcome.normal
            return
        }
        Throwable problem = outcome.abnormal
        worsen(resultOf(problem))
        log.line(problem instanceof AbortException ? "ERROR: ${problem.message}" : problem instanceof FlowInterruptedException ? problem.message : Log.trace(problem))
    }

    static String resultOf(Throwable problem) {
        return problem instanceof FlowInterruptedException ? problem.result : 'FAILURE'
    }

    /** A result only ever gets worse. */
    void worsen(String other) {
        List<String> order = ['SUCCESS', 'UNSTABLE', 'FAILURE', 'NOT_BUILT', 'ABORTED']
        if (order.indexOf(other) > order.indexOf(result)) {
            result = other
        }
    }

    /** A step that is over as soon as it was begun. */
    static class Done implements Operation {

        Outcome outcome

        @Override
        Outcome poll() {
            return outcome
        }

        @Override
        void stop(Throwable cause) {
            outcome = new Outcome(null, cause)
        }

    }

}
