name := forgetful
objs := forgetful.o
deps :=
