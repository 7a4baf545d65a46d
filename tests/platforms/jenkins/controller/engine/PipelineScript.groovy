package engine

import com.cloudbees.groovy.cps.SerializableScript

/** Base class of the Jenkinsfile and of every file in vars/: what is no method of its own is a step or a library variable. */
abstract class PipelineScript extends SerializableScript {

    private static final long serialVersionUID = 1L

    @Override
    Object invokeMethod(String name, Object args) {
        Object[] list = args instanceof Object[] ? (Object[]) args : [args] as Object[]
        // Of its own: Groovy has methods on every object, `sleep` for one, that are steps here.
        if (getClass().declaredMethods.any { it.name == name }) {
            return Build.unwrapped { getMetaClass().invokeMethod(this, name, list) }
        }
        return Build.current().invoke(name, list)
    }

    @Override
    Object getProperty(String property) {
        if (getBinding().hasVariable(property)) {
            return getBinding().getVariable(property)
        }
        Object global = Build.current().global(property)
        return global != null ? global : super.getProperty(property)
    }

    // Script itself is not serializable, so its variables would be lost at the first restart. They must be serializable,
    // as in Jenkins.
    private void writeObject(ObjectOutputStream out) throws IOException {
        out.defaultWriteObject()
        out.writeObject(new LinkedHashMap(getBinding().getVariables()))
    }

    private void readObject(ObjectInputStream stream) throws IOException, ClassNotFoundException {
        stream.defaultReadObject()
        setBinding(new Binding((Map) stream.readObject()))
    }

}
