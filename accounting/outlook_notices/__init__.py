"""What PIs and managers are told of the days to come: forecasts, and periods that end."""
