name := ipv4
objs := main.o input.o options.o reasm.o output.o forward.o arp.o acd.o arpctl.o
deps := ip
