name := packet
objs := main.o sock.o option.o recv.o send.o
deps := ip
