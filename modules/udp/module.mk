name := udp
objs := main.o table.o input.o sock.o send.o gso.o gro.o proc.o diag.o
deps := ip
