package engine

import com.cloudbees.groovy.cps.Outcome
import groovy.util.slurpersupport.GPathResult
import hudson.AbortException
import java.nio.file.FileSystems
import java.nio.file.Paths
import org.jenkinsci.plugins.credentialsbinding.impl.CredentialNotFoundException

/** The plain steps, each as its Jenkins plugin documents it. `sh` runs a real shell, with a real signal on an abort. */
class Steps {

    /** Steps of plugins that a controller may lack. */
    private static final List<String> OPTIONAL = ['junit']
    private static final List<String> NAMES = [
        'sh', 'bat', 'powershell', 'echo', 'error', 'unstable', 'writeFile', 'readFile', 'fileExists', 'deleteDir', 'pwd', 'isUnix',
        'libraryResource', 'sleep', 'junit', 'archiveArtifacts', 'parallel', 'string', 'checkout', '_push', '_pop', '_result',
    ]

    /** [step, arguments] of every step that was carried out, for the tests. */
    final List<Map> done = []
    private final Build build
    private final List<Shell> shells = []

    Steps(Build build) {
        this.build = build
    }

    boolean has(String name) {
        return NAMES.contains(name) && !(OPTIONAL.contains(name) && !((List) build.spec.plugins).contains(name))
    }

    /** Returns the step's value, or an Operation that will have it. */
    Object begin(Head head, Request request) {
        if (!request.name.startsWith('_')) {
            done.add([
                step: request.name,
                limited: head.frames.any { it.deadline },
                arguments: request.arguments.collectEntries { k, v -> [(k): v instanceof Map ? '…' : "${v}".toString()] },
            ])
        }
        return "do_${request.name}"(head, request.arguments)
    }

    // --- text and files ---

    Object do_echo(Head head, Map a) {
        build.log.line("${a.message}")
        return null
    }

    Object do_error(Head head, Map a) {
        throw new AbortException("${a.message}")
    }

    Object do_unstable(Head head, Map a) {
        build.log.line("WARNING: ${a.message}")
        build.worsen('UNSTABLE')
        return null
    }

    Object do_isUnix(Head head, Map a) {
        return build.spec.unix
    }

    Object do_pwd(Head head, Map a) {
        return a.tmp ? "${build.workspace}@tmp".toString() : folderOf(head).path
    }

    Object do_writeFile(Head head, Map a) {
        File file = fileOf(head, a.file)
        file.parentFile.mkdirs()
        if (a.encoding == 'Base64') {
            file.bytes = a.text.decodeBase64()
        } else {
            file.setText("${a.text}", (String) (a.encoding ?: 'UTF-8'))
        }
        return null
    }

    Object do_readFile(Head head, Map a) {
        File file = fileOf(head, a.file)
        if (!file.exists()) {
            throw new FileNotFoundException(file.path)
        }
        return file.getText((String) (a.encoding ?: 'UTF-8'))
    }

    Object do_fileExists(Head head, Map a) {
        return fileOf(head, a.file).exists()
    }

    Object do_deleteDir(Head head, Map a) {
        folderOf(head).deleteDir()
        return null
    }

    Object do_libraryResource(Head head, Map a) {
        File file = new File("${build.spec.library}/resources/${a.resource}")
        if (!file.isFile()) {
            throw new AbortException("No such library resource ${a.resource} could be found.")
        }
        return a.encoding == 'Base64' ? file.bytes.encodeBase64().toString() : file.getText('UTF-8')
    }

    Object do_checkout(Head head, Map a) {
        build.log.line('Checking out')
        return [:]
    }

    Object do_archiveArtifacts(Head head, Map a) {
        String pattern = a.artifacts
        List<String> found = filesOf(head, pattern)
        if (!found && a.allowEmptyArchive != true) {
            throw new AbortException("No artifacts found that match the file pattern \"${pattern}\". Configuration error?")
        }
        build.log.line("Archiving artifacts: ${found.size()} files")
        return null
    }

    Object do_junit(Head head, Map a) {
        List<String> found = filesOf(head, (String) a.testResults)
        if (!found && a.allowEmptyResults != true) {
            throw new AbortException('No test report files were found. Configuration error?')
        }
        int total = 0
        int failed = 0
        for (name in found) {
            GPathResult xml = new XmlSlurper().parse(new File(name))
            total += xml.depthFirst().count { it.name() == 'testcase' }
            failed += xml.depthFirst().count { it.name() == 'failure' || it.name() == 'error' }
        }
        build.log.line("Recording test results: ${total} tests, ${failed} failed")
        if (failed) {
            build.worsen('UNSTABLE')
        }
        return [totalCount: total, failCount: failed]
    }

    // --- credentials, context ---

    /** Not a step but a symbol: the binding that withCredentials takes. */
    Object do_string(Head head, Map a) {
        return [binding: 'string'] + a
    }

    Object do__push(Head head, Map a) {
        Map frame = a.frame
        if (frame.credentials) {
            Map bound = [:]
            for (binding in frame.credentials) {
                String secret = ((Map) build.spec.credentials)[binding.credentialsId]
                if (secret == null) {
                    throw new CredentialNotFoundException("Could not find credentials entry with ID '${binding.credentialsId}'")
                }
                build.log.secret(secret)
                bound[binding.variable] = secret
            }
            frame = [env: bound]
        } else if (frame.folder) {
            frame = [folder: fileOf(head, frame.folder).path]
        } else if (frame.milliseconds) {
            frame = [deadline: System.currentTimeMillis() + (long) frame.milliseconds]
        }
        head.frames.add(frame)
        return null
    }

    Object do__pop(Head head, Map a) {
        head.frames.remove(head.frames.size() - 1)
        return null
    }

    Object do__result(Head head, Map a) {
        build.worsen(Build.resultOf((Throwable) a.error))
        return null
    }

    Map<String, String> environmentOf(Head head) {
        Map<String, String> result = [:]
        result.putAll((Map) build.spec.agent)
        result.putAll(build.environment)
        result.WORKSPACE = build.workspace.path
        for (frame in head.frames) {
            for (entry in (frame.env ?: [:]).entrySet()) {
                String name = entry.key
                int plus = name.indexOf('+')
                if (plus > 0) {
                    String real = name.substring(0, plus)
                    result[real] = result[real] ? "${entry.value}:${result[real]}".toString() : entry.value
                } else if (entry.value == '') {
                    // An empty value removes the variable.
                    result.remove(name)
                } else {
                    result[name] = entry.value
                }
            }
        }
        return result
    }

    File folderOf(Head head) {
        Map frame = head.frames.reverse().find { it.folder }
        return frame ? new File((String) frame.folder) : build.workspace
    }

    private File fileOf(Head head, Object path) {
        File file = new File("${path}")
        return file.absolute ? file : new File(folderOf(head), "${path}")
    }

    /** The files that one of the patterns names, as Jenkins reads them: a comma separates, `**` is any number of folders. */
    private List<String> filesOf(Head head, String patterns) {
        File folder = folderOf(head)
        List<String> found = []
        folder.eachFileRecurse(groovy.io.FileType.FILES) { file ->
            String path = folder.toPath().relativize(file.toPath())
            for (pattern in patterns.split(',')*.trim()) {
                // Escaped but for the stars, which are the only signs that both kinds of pattern share.
                String glob = pattern.replaceAll('[\\[\\]{}?\\\\]', '\\\\\\\\$0')
                if ([glob, glob.replace('**/', '')].any { FileSystems.default.getPathMatcher("glob:${it}").matches(Paths.get(path)) }) {
                    found.add(file.path)
                    return
                }
            }
        }
        return found.sort()
    }

    // --- steps that take time ---

    Object do_sleep(Head head, Map a) {
        return new Sleep(System.currentTimeMillis() + (a.time as long) * 1000)
    }

    Object do_parallel(Head head, Map a) {
        Map branches = new LinkedHashMap((Map) a.branches)
        boolean failFast = branches.remove('failFast') == true
        return new Parallel(build, branches.collect { name, body -> build.fork((String) name, head, (Closure) body) }, failFast)
    }

    Object do_sh(Head head, Map a) {
        if (!build.spec.unix) {
            throw new IOException('Cannot run program "sh": CreateProcess error=2, The system cannot find the file specified')
        }
        File folder = new File("${build.workspace}@tmp/durable-${UUID.randomUUID()}")
        folder.mkdirs()
        File script = new File(folder, 'script.sh')
        String text = "${a.script}"
        script.setText(text, 'UTF-8')
        script.setExecutable(true)
        // A script with an interpreter line is run by it; any other by a shell that traces what it does.
        return launch(head, a, text.startsWith('#!') ? [script.path] : ['sh', '-xe', script.path], 15)
    }

    /**
     * A stand-in, since there is no Windows here: it does with the variables what the library's script says, so that
     * what Jenkins does around it can be tested. An abort ends the process as on Windows, at once and without a signal.
     */
    Object do_powershell(Head head, Map a) {
        if (build.spec.unix) {
            throw new IOException('Cannot run program "powershell": error=2, No such file or directory')
        }
        assert "${a.script}" == new File("${build.spec.library}/resources/reflectci/agent.ps1").getText('UTF-8')
        Map env = environmentOf(head)
        File report = new File(folderOf(head), env.REFLECT_REPORT_DIR ?: '.')
        new File(report, 'result.json').delete()
        if (env.REFLECT_JENKINS_COMMAND == 'run') {
            new File(report, 'executions.json').delete()
        }
        List<String> command = env.REFLECT_RUNNER == 'installed' ? ['reflect-ci'] : ['python3', env.REFLECT_RUNNER]
        return launch(head, a, ['/usr/bin/env'] + command + [env.REFLECT_JENKINS_COMMAND], 9)
    }

    private Shell launch(Head head, Map a, List<String> command, int signal) {
        Shell shell = new Shell(build, a, command, environmentOf(head), folderOf(head), signal)
        shells.add(shell)
        return shell
    }

    void killAll() {
        shells*.kill(9)
    }

    static class Sleep implements Operation {

        private final long until
        private Throwable cause

        Sleep(long until) {
            this.until = until
        }

        @Override
        Outcome poll() {
            return cause != null ? new Outcome(null, cause) : System.currentTimeMillis() >= until ? new Outcome(null, null) : null
        }

        @Override
        void stop(Throwable cause) {
            this.cause = cause
        }

    }

}
