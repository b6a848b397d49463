name := icmp
objs := main.o input.o error.o ping.o
deps := ip
