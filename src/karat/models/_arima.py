from karat.models._ewma import Ewma
class Arima(Ewma):
    name = "arima"
