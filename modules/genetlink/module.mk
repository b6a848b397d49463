name := genetlink
objs := main.o
deps := netlink
