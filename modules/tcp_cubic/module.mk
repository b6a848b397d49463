name := tcp_cubic
objs := cubic.o hystart.o
deps := tcp
