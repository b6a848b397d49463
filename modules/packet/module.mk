name := packet
objs := main.o sock.o option.o recv.o send.o ring.o diag.o
deps := ip
