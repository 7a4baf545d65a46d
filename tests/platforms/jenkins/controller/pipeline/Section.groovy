/** The entries of a section, written down and not yet carried out. */
class Section implements Serializable {

    private static final long serialVersionUID = 1L

    final Map found = [:]
    private final Object steps
    private final List allowed

    Section(Object steps, List allowed) {
        this.steps = steps
        this.allowed = allowed
    }

    @NonCPS
    boolean contains(String name) {
        return found.containsKey(name)
    }

    @NonCPS
    Object first(String name) {
        return found[name][0]
    }

    @NonCPS
    Object methodMissing(String name, Object args) {
        if (!allowed.contains(name)) {
            throw new IllegalArgumentException("WorkflowScript: Undefined section \"${name}\" (here: ${allowed.join(', ')})")
        }
        List list = (args as List)
        if (name == 'stage') {
            found[name] = (found[name] ?: []) + [list]
        } else {
            found[name] = list ?: [true]
        }
        return null
    }

    @NonCPS
    Object propertyMissing(String name) {
        if (name == 'any' || name == 'none') {
            return name
        }
        return steps.getProperty(name)
    }

}
