/*
 * The steps that take a block. They are compiled with the CPS transform like the Pipeline itself, so that what is inside
 * the block can suspend; the engine keeps what they put around it.
 */

Object withEnv(List overrides, Closure body) {
    Map env = [:]
    for (pair in overrides) {
        String text = pair.toString()
        if (text.indexOf('=') < 0) {
            throw new IllegalArgumentException(text)
        }
        env[text.substring(0, text.indexOf('='))] = text.substring(text.indexOf('=') + 1)
    }
    return inside([env: env], body)
}

Object withCredentials(List bindings, Closure body) {
    return inside([credentials: bindings], body)
}

Object dir(String path, Closure body) {
    return inside([folder: path], body)
}

Object timeout(Map limit, Closure body) {
    Map units = [SECONDS: 1000L, MINUTES: 60_000L, HOURS: 3_600_000L]
    return inside([milliseconds: limit.time * units[limit.unit ?: 'MINUTES']], body)
}

Object node(Closure body) {
    return inside([node: ''], body)
}

Object node(String label, Closure body) {
    return inside([node: label], body)
}

Object stage(String name, Closure body) {
    echo("[Stage] ${name}")
    return inside([stage: name], body)
}

Object script(Closure body) {
    return body()
}

Object retry(int count, Closure body) {
    for (int i = 1; i < count; i++) {
        try {
            return body()
        } catch (hudson.AbortException problem) {
            echo("ERROR: ${problem.message}")
        }
    }
    return body()
}

Object catchError(Map options, Closure body) {
    try {
        return body()
    } catch (hudson.AbortException problem) {
        echo("ERROR: ${problem.message}")
        _result(problem)
    }
    return null
}

Object pipeline(Closure body) {
    return new Declarative(this).run(body)
}

Object inside(Map frame, Closure body) {
    _push(frame)
    try {
        return body()
    } finally {
        _pop()
    }
}
