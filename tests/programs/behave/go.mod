module kurun.example/behave

go 1.21
