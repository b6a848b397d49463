name := ipv6
objs := main.o mib.o input.o exthdr.o reasm.o output.o forward.o icmp.o conf.o settings.o addr.o source.o label.o slaac.o temp.o router.o prefix.o origin.o rdnss.o rs.o nd.o ndsend.o announce.o resolver.o dad.o redirect.o anycast.o proxy.o mld.o mld_input.o mld_show.o proc.o
deps := ip
