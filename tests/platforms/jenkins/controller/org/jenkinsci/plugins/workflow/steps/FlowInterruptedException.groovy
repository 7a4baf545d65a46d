package org.jenkinsci.plugins.workflow.steps

/** Stands for Jenkins' class of this name: what an aborted build or an exceeded `timeout` throws into the Pipeline. */
class FlowInterruptedException extends InterruptedException {

    final String result

    FlowInterruptedException(String result, String cause) {
        super(cause)
        this.result = result
    }

}
