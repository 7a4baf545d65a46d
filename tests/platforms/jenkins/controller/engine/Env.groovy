package engine

/** The variable `env`. It holds nothing, so a restart costs it nothing. */
class Env implements Serializable {

    private static final long serialVersionUID = 1L

    @Override
    Object getProperty(String name) {
        Build build = Build.current()
        return build.steps.environmentOf(build.head)[name]
    }

    @Override
    void setProperty(String name, Object value) {
        Build.current().environment[name] = value.toString()
    }

}
