package engine

/**
 * A Groovy category, in force while the Pipeline runs: iterators and map entries that can be serialized. Jenkins does
 * the same, so such a loop with a step in it survives a restart.
 */
class Iterators {

    static Iterator iterator(List list) {
        return new Walk(list)
    }

    static Iterator iterator(Set set) {
        return new Walk(new ArrayList(set))
    }

    static Iterator iterator(Map map) {
        return new Walk(new ArrayList(entrySet(map)))
    }

    static Set entrySet(Map map) {
        Set entries = new LinkedHashSet()
        for (key in new ArrayList(map.keySet())) {
            entries.add(new AbstractMap.SimpleImmutableEntry(key, map.get(key)))
        }
        return entries
    }

    static Set keySet(Map map) {
        Set keys = new LinkedHashSet()
        map.each { key, value -> keys.add(key) }
        return keys
    }

    static Collection values(Map map) {
        List all = []
        map.each { key, value -> all.add(value) }
        return all
    }

    /** Groovy has a method of this name on every object, in milliseconds; in a Pipeline it is the step. */
    static Object sleep(Object self, long seconds) {
        return Build.current().invoke('sleep', [seconds] as Object[])
    }

}
