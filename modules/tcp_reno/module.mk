name := tcp_reno
objs := reno.o
deps := tcp
