/** What is assigned in an `environment` section. */
class Variables implements Serializable {

    private static final long serialVersionUID = 1L

    final Map values = [:]
    private final Object steps

    Variables(Object steps) {
        this.steps = steps
    }

    @NonCPS
    Object credentials(String id) {
        return [credential: id]
    }

    @NonCPS
    Object propertyMissing(String name) {
        return values.containsKey(name) ? values[name] : steps.getProperty(name)
    }

    @NonCPS
    void propertyMissing(String name, Object value) {
        values[name] = value instanceof Map ? value : value.toString()
    }

}
