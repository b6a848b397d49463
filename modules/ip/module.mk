name := ip
objs := main.o drop.o mib.o port.o addr.o netif.o netconf.o netio.o gso.o netsys.o watch.o link.o loopback.o ifaddr.o group.o route.o redirect.o neigh.o neighconf.o flow.o pmtu.o proto.o family.o sock.o sockops.o sockerr.o sockopt.o sockopt6.o mcast.o raw.o ioctl.o rtioctl.o procnet.o
deps :=
