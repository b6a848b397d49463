name := ip
objs := main.o drop.o mib.o port.o addr.o netif.o netconf.o netio.o gso.o netsys.o watch.o link.o loopback.o ifaddr.o addrlabel.o addrlife.o group.o listener.o listenreport.o route.o routelife.o redirect.o neightable.o neigh.o neighstate.o neighconf.o neighproxy.o neighwatch.o flow.o pmtu.o proto.o train.o family.o sock.o sockctl.o sockhdr.o sockops.o sockerr.o sockstamp.o sockopt.o sockopt6.o flowlabel.o mcast.o anycast.o mcastopt.o raw.o diag.o reasm.o ioctl.o ethtool.o rtioctl.o procnet.o
deps :=
