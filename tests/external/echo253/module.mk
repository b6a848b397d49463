name := echo253
objs := echo253.o
deps := ip
