name := icmp
objs := main.o mib.o input.o error.o ping.o
deps := ip
