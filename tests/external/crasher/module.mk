name := crasher
objs := crasher.o
deps :=
