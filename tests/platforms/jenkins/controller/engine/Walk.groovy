package engine

/** Walks over a list by index. */
class Walk implements Iterator, Serializable {

    private static final long serialVersionUID = 1L

    private final List list
    private int next = 0

    Walk(List list) {
        this.list = list
    }

    @Override
    boolean hasNext() {
        return next < list.size()
    }

    @Override
    Object next() {
        return list.get(next++)
    }

    @Override
    void remove() {
        throw new UnsupportedOperationException()
    }

}
