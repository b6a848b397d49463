name := rtnetlink
objs := main.o netlink.o request.o message.o link.o addr.o route.o neigh.o event.o
deps := ip
