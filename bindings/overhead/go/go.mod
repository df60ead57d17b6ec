module libscout/overhead

go 1.23

require libscout/scout v0.0.0

replace libscout/scout => ../../go
