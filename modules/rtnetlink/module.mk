name := rtnetlink
objs := main.o netlink.o request.o message.o link.o addr.o route.o neigh.o addrlabel.o event.o
deps := ip
