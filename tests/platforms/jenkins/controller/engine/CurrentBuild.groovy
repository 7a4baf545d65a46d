package engine

/** The variable `currentBuild`. It holds nothing, so a restart costs it nothing. */
class CurrentBuild implements Serializable {

    private static final long serialVersionUID = 1L

    String getResult() {
        String result = Build.current().result
        return result == 'SUCCESS' ? null : result
    }

    String getCurrentResult() {
        return Build.current().result
    }

    void setResult(String value) {
        Build.current().worsen(value)
    }

}
