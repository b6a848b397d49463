name := ethernet
objs := ethernet.o
deps := ip
