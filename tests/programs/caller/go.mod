module kurun.dev/tests/caller

go 1.21
