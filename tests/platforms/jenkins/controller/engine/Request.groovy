package engine

/** A step that the Pipeline waits for: its name and its arguments, named where the step names them. */
class Request implements Serializable {

    private static final long serialVersionUID = 1L

    /** The name of the argument that may be given without one. */
    private static final Map<String, String> SOLE = [
        sh: 'script', powershell: 'script', bat: 'script', echo: 'message', error: 'message', unstable: 'message',
        readFile: 'file', fileExists: 'file', libraryResource: 'resource', sleep: 'time', junit: 'testResults',
        archiveArtifacts: 'artifacts', parallel: 'branches', '_push': 'frame', '_result': 'error', checkout: 'scm', pwd: 'tmp',
        string: 'credentialsId',
    ]

    final String name
    final Map arguments

    Request(String name, Object[] args) {
        this.name = name
        if (args.length == 0) {
            arguments = [:]
        } else if (args.length == 1 && args[0] instanceof Map && !(name in ['parallel', '_push'])) {
            arguments = new LinkedHashMap((Map) args[0])
        } else if (args.length == 1) {
            arguments = [(SOLE[name] ?: 'argument'): args[0]]
        } else {
            throw new IllegalArgumentException("${name}: expected named arguments, got ${args as List}")
        }
    }

}
