name := icmp
objs := main.o mib.o echo.o limit.o input.o error.o input6.o error6.o ping.o
deps := ip
