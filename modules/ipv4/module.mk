name := ipv4
objs := main.o mib.o input.o options.o reasm.o output.o forward.o arp.o acd.o arpctl.o igmp.o igmp_input.o igmp_show.o
deps := ip
