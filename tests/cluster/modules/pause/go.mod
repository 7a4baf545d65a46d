module reflect-ci-cluster/pause

go 1.25.0
