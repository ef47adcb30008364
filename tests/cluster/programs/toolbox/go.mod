module kurun.dev/tests/cluster/toolbox

go 1.24.0
