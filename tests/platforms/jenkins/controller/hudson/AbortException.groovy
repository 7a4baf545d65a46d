package hudson

/** Stands for Jenkins' class of this name: a failure that is told by its message alone. */
class AbortException extends IOException {

    AbortException(String message) {
        super(message)
    }

}
