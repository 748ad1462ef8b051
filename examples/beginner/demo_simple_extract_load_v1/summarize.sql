-- Turnover by source and channel: the task's result, to be read in Airflow's UI.
select sale_source, channel, count(*) as sales, sum(quantity) as pieces, sum(amount) as turnover
from warehouse.fact_sales
group by sale_source, channel
order by sale_source, channel;
