class A {
    void run() {
        steps.sh(returnStatus: true, script: """
            reflect-ci run
        """)
    }
}
