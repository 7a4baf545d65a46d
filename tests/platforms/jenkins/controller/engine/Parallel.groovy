package engine

import com.cloudbees.groovy.cps.Outcome
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** Waits for all branches; the first failure is thrown when the last branch has ended. */
class Parallel implements Operation {

    private final Build build
    private final List<Head> branches
    private final boolean failFast
    private Throwable first

    Parallel(Build build, List<Head> branches, boolean failFast) {
        this.build = build
        this.branches = branches
        this.failFast = failFast
    }

    @Override
    Outcome poll() {
        for (branch in branches) {
            if (branch.ended != null && branch.ended.isFailure() && first == null) {
                first = branch.ended.abnormal
                build.log.line("Failed in branch ${branch.branch}")
                if (failFast) {
                    branches.findAll { it.ended == null }.each {
                        build.stop(it, new FlowInterruptedException('ABORTED', 'Failed in another branch'))
                    }
                }
            }
        }
        if (branches.any { it.ended == null }) {
            return null
        }
        return first != null ? new Outcome(null, first) : new Outcome(branches.collectEntries { [(it.branch): it.ended.normal] }, null)
    }

    @Override
    void stop(Throwable cause) {
        branches.findAll { it.ended == null }.each { build.stop(it, cause) }
    }

}
