name := rtnetlink
objs := main.o request.o link.o addr.o route.o neigh.o addrlabel.o event.o
deps := ip netlink
