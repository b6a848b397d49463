name := ip
objs := main.o drop.o addr.o netif.o netconf.o netio.o netsys.o watch.o link.o loopback.o ifaddr.o route.o neigh.o neighconf.o flow.o pmtu.o proto.o family.o sock.o sockopt.o raw.o ioctl.o rtioctl.o procnet.o
deps :=
